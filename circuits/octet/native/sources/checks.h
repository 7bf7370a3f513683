// The checks of the verifier by name. In the library that is built for use each stands as it is: the macro
// is the constant true, and no name and no branch remain. A library built with -DOCTET_REMOVABLE_CHECKS,
// which the tests alone build and load, can leave one out, so that they can show what it refuses.
#pragma once

#ifdef OCTET_REMOVABLE_CHECKS
namespace octet {
// Whether the check `name`, or `name` with "[index]" behind it when index >= 0, is in force.
bool check_holds(const char* name, int index);
}  // namespace octet
#define OCTET_HOLDS(name) octet::check_holds(name, -1)
#define OCTET_HOLDS_AT(name, index) octet::check_holds(name, index)
#else
#define OCTET_HOLDS(name) true
#define OCTET_HOLDS_AT(name, index) ((void)(name), (void)(index), true)
#endif
