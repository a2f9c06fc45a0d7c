# Fuzz targets: test/fuzz/fuzz-<name>.c, each one LLVMFuzzerTestOneInput; seeds in test/fuzz/corpus/<name>/.
# make fuzz T=name S=seconds   builds that target with clang and libFuzzer and runs it.
EXTRA_DIST += test/fuzz/fuzz.sh
.PHONY: fuzz
fuzz:
	$(srcdir)/test/fuzz/fuzz.sh "$(srcdir)" "$(T)" "$(S)"
