// Package contain calls code of users, such as a codec, a balancer or a watcher, so that what
// goes wrong there is an error for the caller and harms nobody else.
package contain
