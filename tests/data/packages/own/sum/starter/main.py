# Read two integers and print their sum.
