# Faults: processes killed and starved on purpose
dist_noinst_SCRIPTS += test/integration/faults.sh test/integration/ledger.sh test/integration/endure.sh
EXTRA_DIST += test/faults/faults.py test/faults/world.py test/faults/ops.py test/faults/ledger.py test/faults/endure.py test/faults/shim.c test/allocations.h test/integration/killer.sh
