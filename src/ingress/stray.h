/* The HAProxy of a program that was killed: it is on its way out (haproxy.c), and nobody else may be let in before. */
#pragma once

/* Ends the process that the file names, if it is a HAProxy with this configuration, and waits for that: a second at
 * most, nearly always nothing. */
void stray_end(const char *pid_path, const char *config_path);
