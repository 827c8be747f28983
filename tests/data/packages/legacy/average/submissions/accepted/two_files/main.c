#include <stdio.h>
#include "mean.h"
int main(void) { int a, b; scanf("%d %d", &a, &b); printf("%f\n", mean(a, b)); }
