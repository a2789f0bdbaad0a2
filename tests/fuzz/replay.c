/*
 * tests/fuzz/replay.c - main() of a fuzz target without libFuzzer: gives the
 * target every file of the folders and files named on the command line, in the
 * order of their names. make check runs it over tests/fuzz/corpus/NAME.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <err.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX (4 << 20) /* libFuzzer's own inputs are at most 1 MiB */

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static unsigned replayed;

/* The input gets memory of its exact size, so that a read past it is seen. */
static void
replay_file(const char *path)
{
	uint8_t *in;
	FILE *f;
	long size;

	if ((f = fopen(path, "rb")) == NULL)
		err(1, "%s", path);
	if (fseek(f, 0, SEEK_END) == -1 || (size = ftell(f)) == -1 ||
	    fseek(f, 0, SEEK_SET) == -1)
		err(1, "%s", path);
	if (size > INPUT_MAX)
		errx(1, "%s: over %d octets", path, INPUT_MAX);
	if ((in = malloc(size == 0 ? 1 : (size_t)size)) == NULL)
		err(1, "malloc");
	if (fread(in, 1, (size_t)size, f) != (size_t)size)
		err(1, "%s", path);
	fclose(f);
	LLVMFuzzerTestOneInput(in, (size_t)size);
	free(in);
	replayed++;
}

static int
is_visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static void
replay_folder(const char *path)
{
	struct dirent **names;
	char file[PATH_MAX];
	int i, n;

	if ((n = scandir(path, &names, is_visible, alphasort)) == -1)
		err(1, "%s", path);
	for (i = 0; i < n; i++) {
		if (snprintf(file, sizeof(file), "%s/%s", path,
		    names[i]->d_name) >= (int)sizeof(file))
			errx(1, "%s: the name is too long", names[i]->d_name);
		replay_file(file);
		free(names[i]);
	}
	free(names);
}

int
main(int argc, char *argv[])
{
	struct stat st;
	int i;

	for (i = 1; i < argc; i++) {
		if (stat(argv[i], &st) == -1)
			err(1, "%s", argv[i]);
		if (S_ISDIR(st.st_mode))
			replay_folder(argv[i]);
		else
			replay_file(argv[i]);
	}
	printf("%u inputs\n", replayed);
	return replayed > 0 ? 0 : 1;
}
