# The benchmark: make bench, as root, with the packages of contrib/packages.sh build servers bench. Under ten minutes.
EXTRA_PROGRAMS = test/bench/bench-grants test/bench/noop-milter test/bench/lmtp-load test/bench/imap-relay
test_bench_bench_grants_SOURCES = test/bench/bench-grants.c
test_bench_bench_grants_LDADD = $(SERVICE_LIBS)
test_bench_noop_milter_SOURCES = test/bench/noop-milter.c
test_bench_noop_milter_LDADD = $(MILTER_LIBS)
test_bench_lmtp_load_SOURCES = test/bench/lmtp-load.c
test_bench_imap_relay_SOURCES = test/bench/imap-relay.c
CLEANFILES += $(EXTRA_PROGRAMS)
dist_noinst_SCRIPTS += test/bench/bench.sh test/bench/imap.sh
EXTRA_DIST += test/bench/rounds.py test/bench/imap-rounds.py test/bench/README.md
.PHONY: bench
bench: all $(EXTRA_PROGRAMS)
	SRC=$(srcdir) BUILD=. $(srcdir)/test/bench/bench.sh $(ONLY)
