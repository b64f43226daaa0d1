/*
 * ways.h: four ways to download many files. Each returns 0 when it has come to a verdict on every
 * file, good or bad, or the negative error that kept it from doing so.
 */
#ifndef DEMO_WAYS_H
#define DEMO_WAYS_H

#include "download.h"

typedef int way_fn(struct work *work);

way_fn way_sequential; /* one after the other, in one thread */
way_fn way_threads;    /* a thread each */
way_fn way_toy;        /* a coroutine each, on the toy loop */
way_fn way_cora;       /* a task each, a limited number at a time */

#endif
