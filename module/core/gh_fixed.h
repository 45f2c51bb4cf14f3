/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ratios without floating point, for the pacer and the limiter.
 *
 * A ratio is a u64 with 32 bits behind the point, called Q32 below: from 2^-32
 * (2.3e-10) to 2^32 (4.3e9). What is larger is U64_MAX. Every operation
 * rounds down by less than 2^-32, or less than 1 if its result is an integer,
 * and none wraps or traps whatever its arguments. That is not for free: on x86
 * a quotient of more than 64 bits is an exception in mul_u64_u64_div_u64().
 *
 * Sums and products that count bytes or ns end at U64_MAX in the same way.
 */
#ifndef GH_FIXED_H
#define GH_FIXED_H

#define GH_FIX_SHIFT	32
#define GH_FIX_ONE	(1ULL << GH_FIX_SHIFT)

static inline u64 gh_sat_add(u64 a, u64 b)
{
	u64 sum;

	return check_add_overflow(a, b, &sum) ? U64_MAX : sum;
}

static inline u64 gh_sat_sub(u64 a, u64 b)
{
	return a > b ? a - b : 0;
}

static inline u64 gh_sat_mul(u64 a, u64 b)
{
	u64 product;

	return check_mul_overflow(a, b, &product) ? U64_MAX : product;
}

/**
 * gh_mul_div() - a * b / c
 * @a: factor
 * @b: factor
 * @c: divisor, may be 0
 *
 * Return: the quotient rounded down; U64_MAX if it is larger, or @c is 0; 0 if
 * a factor is.
 */
static inline u64 gh_mul_div(u64 a, u64 b, u64 c)
{
	if (!a || !b)
		return 0;
	/* The quotient has 64 bits if the upper half of the product is < c. */
	if (mul_u64_u64_shr(a, b, 64) >= c)
		return U64_MAX;
	/*
	 * On x86 its asm says that it reads all operands before it writes; a
	 * divisor that is known to equal @a would be kept in the register that
	 * the product goes to.
	 */
	OPTIMIZER_HIDE_VAR(c);
	return mul_u64_u64_div_u64(a, b, c);
}

/**
 * gh_fix_div() - the ratio of two integers
 * @a: dividend
 * @b: divisor, may be 0
 *
 * Return: a / b as Q32, U64_MAX if that is too large.
 */
static inline u64 gh_fix_div(u64 a, u64 b)
{
	return gh_mul_div(a, GH_FIX_ONE, b);
}

/**
 * gh_fix_mul() - an integer times a ratio
 * @n: integer, or another ratio
 * @ratio: Q32
 *
 * Return: an integer, or a ratio if @n is one; U64_MAX if it is too large.
 */
static inline u64 gh_fix_mul(u64 n, u64 ratio)
{
	return gh_mul_div(n, ratio, GH_FIX_ONE);
}

#endif /* GH_FIXED_H */
