"""Writes what PyTorch's optimizers and schedulers compute, for optimizer_pytorch_test.cc.

    python3 make_pytorch_updates.py > pytorch_updates.txt        (made with PyTorch 2.14.1)

Optimizers: 100 steps on 17 parameters (tensors a [3, 4] and b [5]) from gradients that depend on the parameter and the step
(gradient() below, the same in the test). A case is four kinds of line:
    case NAME
    config OPTIMIZER AS TEXT
    step T VALUES...           the parameters after T steps
Schedulers: `schedule NAME`, `config`, and `rates VALUES...`, the learning rate of each of 60 steps (6 epochs of 10) with base 0.5.
"""
import torch

SIZES = {'a': (3, 4), 'b': (5,)}
RECORDED = (1, 2, 10, 100)


def initial():
    w = torch.tensor([(1.0 + 0.125 * (i % 7)) * (-1 if i % 3 == 0 else 1) for i in range(17)])
    return torch.nn.Parameter(w[:12].reshape(3, 4).clone()), torch.nn.Parameter(w[12:].clone())


def gradient(parameters, step):
    flat = torch.cat([p.detach().reshape(-1) for p in parameters])
    noise = torch.tensor([((i * 7919 + step * 104729 + i * step * 31) % 2001 - 1000) / 1000 for i in range(17)])
    target = torch.tensor([1.5 * (-1 if i % 3 == 0 else 1) for i in range(17)])
    g = 0.5 * (flat - target) + noise
    parameters[0].grad, parameters[1].grad = g[:12].reshape(3, 4).clone(), g[12:].clone()


def case(name, config, make, clip=None):
    parameters = initial()
    optimizer = make(parameters)
    print('case', name)
    print('config', config)
    for step in range(100):
        gradient(parameters, step)
        if clip:
            clip(parameters)
        optimizer.step()
        if step + 1 in RECORDED:
            values = [x for p in parameters for x in p.detach().reshape(-1).tolist()]
            print('step', step + 1, *('%.9g' % x for x in values))


def schedule(name, config, make):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler = make(optimizer)
    rates = []
    for _ in range(60):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    print('schedule', name)
    print('config', config)
    print('rates', *('%.17g' % r for r in rates))


o = torch.optim
case('sgd', 'sgd { learning_rate: 0.05 }', lambda p: o.SGD(p, lr=.05))
case('sgd_decay', 'sgd { learning_rate: 0.05 weight_decay: 0.03 }', lambda p: o.SGD(p, lr=.05, weight_decay=.03))
case('sgd_momentum', 'sgd { learning_rate: 0.02 momentum: 0.9 weight_decay: 0.01 }',
     lambda p: o.SGD(p, lr=.02, momentum=.9, weight_decay=.01))
case('sgd_dampening', 'sgd { learning_rate: 0.05 momentum: 0.8 dampening: 0.3 }',
     lambda p: o.SGD(p, lr=.05, momentum=.8, dampening=.3))
case('sgd_nesterov', 'sgd { learning_rate: 0.02 momentum: 0.85 nesterov: true weight_decay: 0.02 }',
     lambda p: o.SGD(p, lr=.02, momentum=.85, nesterov=True, weight_decay=.02))
case('adam', 'adam { learning_rate: 0.01 }', lambda p: o.Adam(p, lr=.01))
case('adam_options', 'adam { learning_rate: 0.02 beta1: 0.8 beta2: 0.95 epsilon: 1e-3 weight_decay: 0.1 }',
     lambda p: o.Adam(p, lr=.02, betas=(.8, .95), eps=1e-3, weight_decay=.1))
case('adam_amsgrad', 'adam { learning_rate: 0.02 beta2: 0.9 amsgrad: true }',
     lambda p: o.Adam(p, lr=.02, betas=(.9, .9), amsgrad=True))
case('adamw', 'adamw { learning_rate: 0.01 weight_decay: 0.1 }', lambda p: o.AdamW(p, lr=.01, weight_decay=.1))
case('adamw_amsgrad', 'adamw { learning_rate: 0.01 beta2: 0.9 amsgrad: true }',
     lambda p: o.AdamW(p, lr=.01, betas=(.9, .9), amsgrad=True))
case('rmsprop', 'rmsprop { }', lambda p: o.RMSprop(p))
case('rmsprop_momentum', 'rmsprop { learning_rate: 0.002 momentum: 0.8 smoothing: 0.9 weight_decay: 0.01 }',
     lambda p: o.RMSprop(p, lr=.002, momentum=.8, alpha=.9, weight_decay=.01))
case('rmsprop_centered', 'rmsprop { learning_rate: 0.005 centered: true epsilon: 1e-2 }',
     lambda p: o.RMSprop(p, lr=.005, centered=True, eps=1e-2))
case('rmsprop_centered_momentum', 'rmsprop { learning_rate: 0.002 centered: true momentum: 0.8 epsilon: 1e-2 }',
     lambda p: o.RMSprop(p, lr=.002, centered=True, momentum=.8, eps=1e-2))
case('adagrad', 'adagrad { learning_rate: 0.05 }', lambda p: o.Adagrad(p, lr=.05))
case('adagrad_options',
     'adagrad { learning_rate: 0.05 learning_rate_decay: 0.01 initial_accumulator: 0.5 epsilon: 1e-3 weight_decay: 0.02 }',
     lambda p: o.Adagrad(p, lr=.05, lr_decay=.01, initial_accumulator_value=.5, eps=1e-3, weight_decay=.02))
case('clip_norm', 'sgd { learning_rate: 0.05 momentum: 0.9 } clip_norm: 1.5',
     lambda p: o.SGD(p, lr=.05, momentum=.9), lambda p: torch.nn.utils.clip_grad_norm_(p, 1.5))
case('clip_value', 'sgd { learning_rate: 0.05 momentum: 0.9 } clip_value: 0.25',
     lambda p: o.SGD(p, lr=.05, momentum=.9), lambda p: torch.nn.utils.clip_grad_value_(p, .25))
case('groups', 'sgd { learning_rate: 0.05 momentum: 0.9 weight_decay: 0.1 } group { pattern: "b" learning_rate: 0.02 weight_decay: 0 }',
     lambda p: o.SGD([dict(params=[p[0]]), dict(params=[p[1]], lr=.02, weight_decay=0)], lr=.05, momentum=.9, weight_decay=.1))

s = torch.optim.lr_scheduler
schedule('constant', 'constant { }', lambda p: s.LambdaLR(p, lambda t: 1.0))
schedule('step', 'step { every { steps: 20 } factor: 0.3 }', lambda p: s.StepLR(p, 20, .3))
schedule('multi_step', 'multi_step { at { epochs: 1.5 } at { epochs: 4 } factor: 0.2 }', lambda p: s.MultiStepLR(p, [15, 40], .2))
schedule('cosine', 'cosine { end_factor: 0.1 }', lambda p: s.CosineAnnealingLR(p, 60, .05))
schedule('one_cycle', 'one_cycle { }', lambda p: s.OneCycleLR(p, .5, total_steps=60, cycle_momentum=False))
schedule('one_cycle_linear', 'one_cycle { rise: 0.25 start_factor: 0.1 end_factor: 0.01 shape: LINEAR }',
         lambda p: s.OneCycleLR(p, .5, total_steps=60, pct_start=.25, div_factor=10, final_div_factor=10,
                                anneal_strategy='linear', cycle_momentum=False))
schedule('linear', 'polynomial { length { fraction: 0.5 } }', lambda p: s.PolynomialLR(p, 30, 1))
schedule('polynomial', 'polynomial { power: 2 }', lambda p: s.PolynomialLR(p, 60, 2))
schedule('warmup_cosine', 'warmup { length { epochs: 1 } start_factor: 0.1 } cosine { }',
         lambda p: s.SequentialLR(p, [s.LinearLR(p, .1, 1, 10), s.CosineAnnealingLR(p, 50)], [10]))
schedule('warmup_step', 'warmup { length { epochs: 1 } start_factor: 0.2 } step { every { epochs: 2 } factor: 0.5 }',
         lambda p: s.SequentialLR(p, [s.LinearLR(p, .2, 1, 10), s.StepLR(p, 20, .5)], [10]))
