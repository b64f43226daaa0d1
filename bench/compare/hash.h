#ifndef COMPARE_HASH_H
#define COMPARE_HASH_H

/* SHA-256 of so many MiB of zeros. 0 or a negative error. */
int hash(double size);

#endif
