/* The scheduler: pods without a node get one. A controller like the others, in a room of its own: filters and scores
 * are tables of pure functions. */
#pragma once
#include "client/controller.h"

extern const struct controller_def scheduler;
