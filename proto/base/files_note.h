/* The sentences of Result.files_note: why files of a run are missing. The pool writes these sentences. The
 * gateway turns them into the words of each contract. */
#pragma once

#define FILES_NOTE_TOO_MANY   "more files matched than max_files allows"
#define FILES_NOTE_TOO_LARGE  "a file did not fit into what was left of max_bytes, and was left out"
#define FILES_NOTE_TOO_DEEP   "directories nested too deeply were not searched"
#define FILES_NOTE_TOO_LONG   "the search for files took too long and was ended"
#define FILES_NOTE_UNREADABLE "a file or directory could not be read"
#define FILES_NOTE_BROKEN     "collecting the files failed before its end; these came whole"
