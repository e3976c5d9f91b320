/* Removes the directories of deleted volumes of this node. */
#pragma once

struct agent;
struct localpath;
struct localpath *localpath_new(struct agent *a);
void localpath_free(struct localpath *l);  /* NULL is fine */
void localpath_sweep(struct localpath *l); /* what failed before is tried again */
