# crypto: sources of libcommon.a, their unit tests and fuzz targets
libcommon_a_SOURCES +=
