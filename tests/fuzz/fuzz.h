/* fuzz.h - what fuzz targets share. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* hold - ends the run here when V, which always holds, does not. */
static inline void
hold(bool v)
{
	if (!v)
		abort();
}

#endif /* TESTS_FUZZ_FUZZ_H */
