#include <stdio.h>

int main(void) { return printf("compiled by gcc %d\n", __GNUC__) < 0; }
