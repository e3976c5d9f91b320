/* What is asked about a Node in several places. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

/* Whether traffic from outside may be sent to it: Ready, staying, and not labelled to be left out. */
bool node_takes_traffic(const json_t *node);
