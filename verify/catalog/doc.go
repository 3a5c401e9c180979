// Package catalog lists every check that ships ([Checks]) and explains every
// finding that one of them can report ([Problems]). [Page] makes the
// documentation of it. The checks themselves live in the packages beside it.
package catalog
