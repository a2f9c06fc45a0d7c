# base: errors, buffers, log, configuration, frames
noinst_LIBRARIES += libcommon.a
libcommon_a_SOURCES = \
	common/err.h common/err.c \
	common/buf.h common/buf.c \
	common/log.h common/log.c
