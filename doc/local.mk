# What is read, not run.
EXTRA_DIST += doc/admin.md doc/formats.md doc/protocol.md doc/threat-model.md doc/xrecrypt.md
