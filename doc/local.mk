dist_doc_DATA += doc/admin.md doc/formats.md doc/protocol.md doc/threat-model.md doc/xrecrypt.md
