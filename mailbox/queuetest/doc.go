// Package queuetest tests implementations of [mailbox.Queue].
package queuetest
