/* SPDX-License-Identifier: MIT */
/* Opens the library named by its first argument with dlopen and runs it. Prints the result. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	uint64_t (*run)(uint64_t, unsigned long);
	void *library;

	if (argc < 2)
		return 2;
	library = dlopen(argv[1], RTLD_NOW);
	if (library == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	*(void **)&run = dlsym(library, "library_run");
	if (run == NULL)
		return 1;
	printf("result %016lx\n",
	       (unsigned long)run(12345, argc > 2 ? strtoul(argv[2], NULL, 10) : 20000000));
	return 0;
}
