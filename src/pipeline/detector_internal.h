/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GG_PIPELINE_DETECTOR_INTERNAL_H
#define GG_PIPELINE_DETECTOR_INTERNAL_H

/*
 * What the files of the detector share. Nobody else includes this.
 *
 * Same bits everywhere: the memory of situations depends on the order of tiny differences, so that one
 * rounding more or less ends in other prototypes and, some thousand samples later, in other alarms. Therefore
 *  - only + - * / and sqrt are used, which IEEE 754 rounds in one way; logarithms are our own
 * (gg_detector_log2);
 *  - no sum is left to the compiler's choice of order: sums run over dimensions, vectors over prototypes, and
 * the only reductions over a vector are minima and whole numbers;
 *  - these files are compiled with -ffp-contract=off, and refuse -ffast-math. The golden test catches the
 * rest.
 */

#include "pipeline/detector.h"

#include <float.h>

#ifdef __FAST_MATH__
#error "the detector must not be compiled with -ffast-math"
#endif
_Static_assert(FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 16, "float arithmetic must round to float");

enum { GG_E1, GG_E4, GG_E16, GG_E32, GG_E64, GG_E256, GG_E1024 };

#define GG_DETECTOR_LIMIT      1e18f /* of a difference to the first value; its square still fits a float */
#define GG_DETECTOR_SETTLE     8     /* samples after which a spike is looked at again */
#define GG_DETECTOR_BAND_FROM  16
#define GG_DETECTOR_BAND_SPAN  128
#define GG_DETECTOR_REACH_MOST 1e4f

/* The novelty of the views' vectors u (all dimensions in a row) at time t (from 0). Learns them. */
float gg_detector_recall(struct gg_detector *d, const float *u, uint64_t t);

/* Sets gap and slot of all views from the rest; what the state file leaves out. */
void gg_detector_memory_settle(struct gg_detector *d);

/* The squared distance of each prototype of a view to its fellow; all zero until the memory is full. */
void gg_detector_memory_apart(const struct gg_detector *d, int view, float ret_apart[GG_DETECTOR_PROTOS]);

/* Logarithm to base 2 of a positive, normal x, good to 1e-9. */
double gg_detector_log2(double x);

/* The band before x is learnt, as differences to ref: middle and reach to both sides. */
void gg_detector_band_now(const struct gg_detector *d, float *ret_mid, float *ret_down, float *ret_up);
void gg_detector_band_init(struct gg_detector_band *band);
void gg_detector_band_learn(struct gg_detector *d, float x, float divisor);

/* Names the change behind an alarm at x. mid: what was expected; sudden: x is the first out of the band. */
void gg_detector_explain(
	const struct gg_detector *d, float x, float mid, bool sudden, struct gg_change *ret_change);

#endif
