package main

import (
	"fmt"
	"runtime"
)

func main() { fmt.Println("compiled by", runtime.Version()) }
