/*
 * multiprocessing.h: processes beside tasks and threads (multiprocessing). This header includes all
 * the others of its folder.
 */
#ifndef CORA_MULTIPROCESSING_H
#define CORA_MULTIPROCESSING_H

#include <cora/multiprocessing/connection.h>
#include <cora/multiprocessing/process.h>

#endif
