"""What is done to a trace before it becomes a program, in this order.

======================  =======================================================
module                  subject
======================  =======================================================
``constants``           operations on constants alone are done now
``common``              an operation that was done before is not done again
``dead_code``           what nobody needs is not done
``epilogues``           bias and activation become part of a product
``fusion``              chains of elementwise operations become one loop
``reductions``          sums of what chains compute are done piece by piece
======================  =======================================================

Each is a function from a trace to a trace whose results have the same bits.
"""
