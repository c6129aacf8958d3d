/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of codes, one file for some families; codes.c joins them. */
#ifndef ROUSE_CODES_PRIV_H
#define ROUSE_CODES_PRIV_H

#include "rule.h"

extern const struct diag_code codes_yaml[], codes_shape[], codes_tag[], codes_rule[];
extern const size_t n_codes_yaml, n_codes_shape, n_codes_tag, n_codes_rule;

#endif
