/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel names that do nothing here.
 */
#ifndef GH_USER_STUBS_H
#define GH_USER_STUBS_H

#define EXPORT_SYMBOL_GPL(s)
#define EXPORT_SYMBOL_IF_KUNIT(s)
#define VISIBLE_IF_KUNIT	static
#define MODULE_LICENSE(s)
#define lockdep_set_class(l, k)		do { } while (0)
#define lockdep_set_subclass(l, n)	do { } while (0)
#define lock_class_key			gh_user_lock_class_key
struct gh_user_lock_class_key {
	char none;
};

#define OPTIMIZER_HIDE_VAR(v)	do { } while (0)
#define cpu_relax()	do { } while (0)
#define signal_pending(t)	false
#define fatal_signal_pending(t)	false

/* Messages are of use when a test fails, and then a debugger is of more. */
#define pr_debug(...)	do { if (0) printf(__VA_ARGS__); } while (0)
#define pr_info(...)	pr_debug(__VA_ARGS__)
#define pr_notice(...)	pr_debug(__VA_ARGS__)
#define pr_warn(...)	pr_debug(__VA_ARGS__)
#define pr_err(...)	pr_debug(__VA_ARGS__)
#define pr_warn_once(...) pr_debug(__VA_ARGS__)
#define pr_warn_ratelimited(...) pr_debug(__VA_ARGS__)
#define pr_err_once(...) pr_debug(__VA_ARGS__)

#endif /* GH_USER_STUBS_H */
