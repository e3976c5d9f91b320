/* The controllers, one file each; the list is control.c. */
#pragma once
#include "client/controller.h"

extern const struct controller_def *const all_controllers[]; /* NULL-terminated */
