/* The classes that every cluster has. */
#pragma once

extern const struct system_priority {
    const char *name; /* NULL ends */
    int value;
    const char *description;
} system_priorities[];
