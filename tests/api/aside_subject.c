/*
 * aside_subject.c: a program that the build gives a sanitizer. Allocates, says so, and ends with 7.
 */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	char *block = malloc(100);

	printf("%d arguments, %s, block %s\n", argc - 1, argv[argc - 1], block ? "yes" : "no");
	free(block);
	return 7;
}
