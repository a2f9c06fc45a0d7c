# Fuzz targets: test/fuzz/fuzz-<name>.c, each one LLVMFuzzerTestOneInput; seeds in test/fuzz/corpus/<name>/.
# make fuzz T=name S=seconds   builds that target with clang and libFuzzer and runs it.
dist_noinst_SCRIPTS += test/fuzz/fuzz.sh test/fuzz/build.sh test/fuzz/all.sh
.PHONY: fuzz
fuzz:
	$(srcdir)/test/fuzz/fuzz.sh "$(srcdir)" "$(T)" "$(S)"
