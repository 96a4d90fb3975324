console.log("inn")
