preempt=lazy
