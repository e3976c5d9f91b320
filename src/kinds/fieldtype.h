/* The tables of kinds as types of expressions. */
#pragma once
#include "cel/cel.h"
#include "kinds/kind.h"

/* What an object of the kind is, in the arena. Members that are reserved words have two names, "namespace" and
 * "__namespace__": upstream's schemas know the second, its documents the first. */
const struct cel_type *kind_cel_type(const struct kind *k, struct cel_arena *a);
