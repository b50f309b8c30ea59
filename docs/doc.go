// Package docs holds the documents of Troupe, and the tests that keep them and the
// code in step: layout_test.go is the import graph, source_test.go what library code
// may not do, program_test.go compiles and runs the programs in the documents.
//
// Start with architecture.md. The guides are for those who use Troupe, adr/ says why
// it is built as it is.
package docs
