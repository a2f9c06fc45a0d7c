#ifndef RECRYPT_IMAPFILTER_LINK_H
#define RECRYPT_IMAPFILTER_LINK_H
struct link;
#endif
