/*
 * xml.h: whether a text is well-formed XML; as much of it as a picture needs.
 */
#ifndef XML_H
#define XML_H

#include <stdbool.h>

/* Elements are closed in their order, attributes are quoted, < and & stand only where they may. */
bool is_well_formed(const char *text);

#endif
