package main

import (
	"os"
	"time"

	"github.com/troupe-go/troupe/demo/internal/stage"
)

func main() { os.Exit(program().Main()) }

func program() stage.Program {
	return stage.Program{Name: "settings", Longest: time.Minute, Run: run, Child: keepShop}
}
