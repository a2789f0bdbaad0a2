/*
 * tree.h - removes what a test has made in a folder of its own. Links are
 * removed and never followed, and another file system's tree stays: a test that
 * went wrong costs nothing but its own files.
 */
#ifndef TESTS_UNIT_TREE_H
#define TESTS_UNIT_TREE_H

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#define TREE_FDS 16 /* folders open at once; nftw goes deeper all the same */

static inline int
tree_remove_one(const char *path, const struct stat *st, int type,
    struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static inline int
tree_remove_below(const char *path, const struct stat *st, int type,
    struct FTW *at)
{
	return at->level == 0 ? 0 : tree_remove_one(path, st, type, at);
}

/*
 * tree_remove - removes the folder PATH with all that is in it.
 * Returns 0, or -1 with errno set: the rest stays.
 */
static inline int
tree_remove(const char *path)
{
	return nftw(path, tree_remove_one, TREE_FDS,
	    FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* tree_empty - the same, but the folder itself stays. */
static inline int
tree_empty(const char *path)
{
	return nftw(path, tree_remove_below, TREE_FDS,
	    FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

#endif /* TESTS_UNIT_TREE_H */
