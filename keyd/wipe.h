/* keyd/wipe.h - no octet of a key outlives its use. */
#ifndef KEYD_WIPE_H
#define KEYD_WIPE_H

/*
 * wipe_install - from now on libcrypto's memory is overwritten whenever it is
 * freed, and secrets lie in pages of their own that are not swapped, as far as
 * the host's limits allow. Before anything else of libcrypto is called; fatal
 * when it is too late.
 */
void wipe_install(void);

#endif
