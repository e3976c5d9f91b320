/* What an informer knew, on the disk, for a program that starts while the server is away: its readers get the objects
 * of last time as additions, and the differences when the server answers. Written beside the loop and rarely: it is a
 * second best, so what changed in the last seconds may be missing. */
#pragma once
#include "client/informer.h"

struct recall;
/* Before informer_start(). The file: `name` in the folder, which must be there. */
struct recall *recall_new(struct informer *i, const char *folder, const char *name);
/* Was there anything to recall? An empty list is. */
bool recall_found(const struct recall *r);
/* Before the informer goes. What has not been written yet is written now. NULL is fine. */
void recall_free(struct recall *r);
