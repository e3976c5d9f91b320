/* What is asked about a Node in several places. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

bool node_is_ready(const json_t *node);
/* Whether one of its addresses, of whatever type, is this text. */
bool node_has_address(const json_t *node, const char *text);
/* Whether traffic from outside may be sent to it: Ready, staying, and not labelled to be left out. */
bool node_takes_traffic(const json_t *node);
