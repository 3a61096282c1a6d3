/* Reading a dead sandbox's files: init's side of proto/ipc/collect.h. Never follows a link, never opens anything but
 * regular files and directories, and is bounded in number, bytes, depth and time. */
#pragma once

/* Serves one request: reads it from sock, walks the directory, answers on sock. The caller keeps both descriptors. If
 * the pool goes away or breaks the format, this returns without an answer. */
void collect_files(int directory, int sock);
