/* lib/store/file.h - a file opened without surprises, and its lock. */
#ifndef LIB_STORE_FILE_H
#define LIB_STORE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * file_open - name (one component) below dir, never through a link. flags as
 * for open(2), without O_CREAT. Returns a descriptor, or -1 with errno: EPERM
 * when it is not a regular file of this owner with a single link.
 */
int file_open(int dir, const char *name, int flags, uid_t owner);

/* file_check - does the open file still fit that? 0, or -1 with errno. */
int file_check(int fd, uid_t owner);

/* file_stands - both at once: 1 when the name stands for this open file and it
 * fits; 0: for another one, or none; -1: it does not fit (EPERM). */
int file_stands(int dir, const char *name, int fd, uid_t owner);

/* file_same - does the name still stand for this open file, with one link? */
bool file_same(int dir, const char *name, int fd);

/* file_name_ok - one component of a path, and no trick. */
bool file_name_ok(const char *name);

/*
 * file_lock - an open file description lock on the whole file (it conflicts
 * with other programs' fcntl locks): F_RDLCK or F_WRLCK, tried again at random
 * intervals for wait_ms (0: once). Returns 0, or -1 with errno EAGAIN.
 */
int file_lock(int fd, short type, int wait_ms);
void file_unlock(int fd);

/* file_nap - sleeps a random while, so that two do not meet again. */
void file_nap(int max_ms);

/* pread and pwrite of all octets; file_read gives fewer only at the end. */
ssize_t file_read(int fd, void *p, size_t len, uint64_t at);
int file_write(int fd, const void *p, size_t len, uint64_t at);

#endif
