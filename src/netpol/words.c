/* See words.h. */
#include "netpol/words.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *comment_of(char out[COMMENT_SIZE], const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out, COMMENT_SIZE, fmt, ap);
    va_end(ap);
    for (char *c = out; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_./:=!,()* ", *c))
            *c = '?';
    return out;
}
