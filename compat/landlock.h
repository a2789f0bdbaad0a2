/*
 * compat/landlock.h - Landlock up to ABI 6 for builds whose kernel headers are
 * older than the kernel they run on (Debian 12: ABI 2). The numbers are the
 * kernel's for good.
 */
#ifndef COMPAT_LANDLOCK_H
#define COMPAT_LANDLOCK_H

#include <linux/landlock.h>
#include <stdint.h>
#include <sys/syscall.h>

#ifndef SYS_landlock_create_ruleset /* alike on all architectures */
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

#ifndef LANDLOCK_ACCESS_FS_REFER /* ABI 2 */
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE /* ABI 3 */
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV /* ABI 5 */
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP /* ABI 4 */
#define LANDLOCK_ACCESS_NET_BIND_TCP    (1ULL << 0)
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_SCOPE_SIGNAL /* ABI 6 */
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define LANDLOCK_SCOPE_SIGNAL               (1ULL << 1)
#endif

/* An enumerator of linux/landlock.h from ABI 4 on, hence a name of our own. */
#define COMPAT_RULE_NET_PORT 2

/* struct landlock_ruleset_attr of ABI 6; older kernels take its beginning. */
struct compat_landlock_ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* from ABI 4 on */
	uint64_t scoped;             /* from ABI 6 on */
};

struct compat_landlock_port {
	uint64_t allowed_access;
	uint64_t port;
};

#endif
