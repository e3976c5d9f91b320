/* Keeps the server's own certificates while it runs: a year is shorter than some programs run. */
#pragma once
#include "server/pipeline.h"

void renew_init(struct server *s); /* looks twice a day */
/* One look: what is near its end is made again, and new connections see it. */
void renew_certificates(struct server *s);
