/* SPDX-License-Identifier: GPL-2.0 */
/* The programs in powercut: each gets its own name as argv[0]. */
#ifndef POWERCUT_H
#define POWERCUT_H

int record_main(int argc, char **argv);
int load_main(int argc, char **argv);
int mark_main(int argc, char **argv);
int replay_main(int argc, char **argv);

#endif
