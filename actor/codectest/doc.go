// Package codectest holds the tests that every [actor.Codec] has to pass.
package codectest
